"""The directory's records and rules: users, groups, applications, and what applications show."""
