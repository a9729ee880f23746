"""The stream job of a cluster: the log's partitions, folded into chunks that are shared."""
