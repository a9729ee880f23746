"""Answer queries of replicas from the shared chunks: coordinate, execute, serve over HTTP."""
