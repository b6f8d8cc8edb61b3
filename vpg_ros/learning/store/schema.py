"""The message definition that every store carries, as ``vpg_msgs/msg/*.msg`` has it.

Kept here without comments, so that stores are written where vpg_msgs is not installed; a test holds
it to the message files.
"""

TOPIC = "transition"
NAME = "vpg_msgs/msg/Transition"
DEFINITION = """\
std_msgs/Header header
string episode
uint32 step
Heightmap before
PrimitiveAction action
Outcome outcome
float64 reward
Heightmap after
bool done
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
================================================================================
MSG: vpg_msgs/Heightmap
std_msgs/Header header
Workspace workspace
sensor_msgs/Image color
sensor_msgs/Image height
================================================================================
MSG: vpg_msgs/Workspace
float64 origin_x
float64 origin_y
float64 table_z
float64 resolution
uint32 rows
uint32 columns
================================================================================
MSG: sensor_msgs/Image
std_msgs/Header header
uint32 height
uint32 width
string encoding
uint8 is_bigendian
uint32 step
uint8[] data
================================================================================
MSG: vpg_msgs/PrimitiveAction
std_msgs/Header header
string primitive
uint32 rotation
uint32 row
uint32 column
float64 angle
geometry_msgs/Pose pose
float64 value
float64 spread
float64 probability
string policy
string checkpoint
================================================================================
MSG: geometry_msgs/Pose
Point position
Quaternion orientation
================================================================================
MSG: geometry_msgs/Point
float64 x
float64 y
float64 z
================================================================================
MSG: geometry_msgs/Quaternion
float64 x 0
float64 y 0
float64 z 0
float64 w 1
================================================================================
MSG: vpg_msgs/Outcome
bool success
float64 gripper_width
float64 peak_force
float64 duration
uint16 error_code
string error_msg
uint32 accidents
"""
