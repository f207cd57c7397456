"""The directory's plane: Microsoft Graph, as far as identity commands and role assignments need it."""
