"""Where a function of many items runs: in processes of this machine, or on a cluster of Dask or Ray."""
