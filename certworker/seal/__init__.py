"""Where the master key comes from: a file, the environment, a credential or a token; and who opens it when it is wrapped."""
