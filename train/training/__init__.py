"""One training: config, data loaders, learner, callbacks, first weights."""
