"""certworker: a vault that speaks the Azure Key Vault API, and a worker that keeps its certificates alive."""
