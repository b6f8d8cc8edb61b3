"""What holds for every test: a corner of the network of its own."""

import os

# A system that runs on this machine, or a second run of the tests, must not be heard in here.
# Domains up to 101 keep clear of the ports that Linux hands out.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 101)
