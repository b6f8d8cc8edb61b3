"""Quality of service of the package's own topics."""

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

# The last value is kept for whoever comes later: calibration, heightmap, chosen action, status.
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
