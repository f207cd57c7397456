"""[management]: what the management plane knows."""

from pydantic import Field

from certworker.settings.section import Section


class ManagementSettings(Section):
    """[management]: what vaults and resource groups can be made with."""

    locations: tuple[str, ...] = Field(
        ("local", "eastus", "westus", "northeurope", "westeurope"),
        min_length=1,
        description="names that a vault or resource group can have as its location; a label and nothing more",
    )
