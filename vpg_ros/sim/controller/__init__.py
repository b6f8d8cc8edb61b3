"""The UR controller emulator: what answers on a robot's sockets when there is no robot."""
