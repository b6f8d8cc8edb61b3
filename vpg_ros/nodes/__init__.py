"""rclpy adapters: parse parameters, subscribe, call the core, publish."""
