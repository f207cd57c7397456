"""The management plane: Azure Resource Manager, as far as vaults, and who may do what with them, need it."""
