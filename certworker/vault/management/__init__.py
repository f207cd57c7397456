"""What the management plane does: resources, roles and where the audit log goes. No HTTP."""
