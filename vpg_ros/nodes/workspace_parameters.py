"""The workspace as parameters, for every node that must know it."""

from dataclasses import dataclass

from vpg_ros.geometry import DEFAULT_WORKSPACE, Workspace
from vpg_ros.nodes.parameters import parameter


@dataclass(frozen=True)
class WorkspaceParameters:
    """Where the table's square lies that heightmaps cover, and how finely."""

    origin_x: float = parameter(
        "x of the corner of pixel (0, 0), m", DEFAULT_WORKSPACE.origin_x, name="workspace.origin_x"
    )
    origin_y: float = parameter(
        "y of the corner of pixel (0, 0), m", DEFAULT_WORKSPACE.origin_y, name="workspace.origin_y"
    )
    table_z: float = parameter(
        "height of the table, m", DEFAULT_WORKSPACE.table_z, name="workspace.table_z"
    )
    resolution: float = parameter(
        "side of a pixel, m",
        DEFAULT_WORKSPACE.resolution,
        name="workspace.resolution",
        low=1e-4,
        high=0.1,
    )
    rows: int = parameter(
        "number of pixels along y", DEFAULT_WORKSPACE.rows, name="workspace.rows", low=8, high=4096
    )
    columns: int = parameter(
        "number of pixels along x",
        DEFAULT_WORKSPACE.columns,
        name="workspace.columns",
        low=8,
        high=4096,
    )

    @property
    def workspace(self) -> Workspace:
        """The square of table."""
        return Workspace(
            self.origin_x, self.origin_y, self.table_z, self.resolution, self.rows, self.columns
        )
