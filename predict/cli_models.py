"""The models that are there, and the licences of code and model."""


def licences() -> str:
    """The line of --version about licences: of the code, and of the default model where there is one."""
    from ser_images.export.bundle.licence import licence_of_model
    from ser_images.export.models import open_bundle
    from ser_images.export.shipped.catalogue import default_model

    model = default_model()
    if model is None:
        return "licences: code MIT"
    licence = licence_of_model(open_bundle(model.folder)[1])
    return f"licences: code MIT; model {model} {licence or 'not stated, see its README.md'}"
