"""AdaptationChoice: whether and to whom a stream or a recording is adapted, from the arguments of a call.

adaptation = choose_adaptation(model, adapt=None, voice="anna")
"""

import os
from dataclasses import dataclass

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import UserError
from ser_images.export.adaptation.parameters import SpeakerAdaptation
from ser_images.export.models import NOT_ADAPTIVE
from ser_images.predict.adaptation.known_speaker import KnownSpeaker
from ser_images.predict.adaptation.profile import Profile
from ser_images.predict.adaptation.voices import find_voice
from ser_images.predict.image_model import ImageModel
from ser_images.predict.streaming.settings import MAX_SPEAKERS


@dataclass(frozen=True, eq=False)
class AdaptationChoice:
    """How to adapt.

    Attributes:
        parameters: of the model's bundle.
        voice: an enrolled one among the speakers.
        speakers: how many there are in a recording; None: as many as there seem to be.
    """

    parameters: SpeakerAdaptation
    voice: Profile | None = None
    speakers: int | None = None


def choose_adaptation(
    model: ImageModel,
    adapt: bool | None = None,
    voice: Profile | str | os.PathLike[str] | None = None,
    speakers: int | None = None,
) -> AdaptationChoice | None:
    """The choice that follows from the arguments; None: no adaptation.

    Args:
        adapt: None: where there is a voice or a number of speakers, and where the model can tell speakers apart.
        voice: a profile, its file, or the name of a voice.

    Raises:
        UserError: arguments that exclude each other, a model that cannot adapt, or no profile of this model.
    """
    wanted = voice is not None or speakers is not None
    if adapt is False and wanted:
        raise UserError("without adaptation there is neither a voice nor a number of speakers; leave out --no-adapt")
    if not (wanted or (model.tells_speakers_apart if adapt is None else adapt)):
        return None
    parameters = require_adaptive(model)
    if speakers is not None:
        _require_number(speakers, model)
    profile = None if voice is None else _profile(model, voice)
    if not model.tells_speakers_apart:
        LOGGER.info(f"{model.bundle.architecture} cannot tell speakers apart: one person is assumed to speak")
    return AdaptationChoice(parameters, profile, speakers)


def speaker_of(model: ImageModel, voice: Profile | str | os.PathLike[str]) -> KnownSpeaker:
    """The speaker whose voice this is, for this model; raises UserError as `choose_adaptation`."""
    parameters = require_adaptive(model)
    profile = _profile(model, voice)
    return KnownSpeaker(profile.name, parameters, profile)


def require_adaptive(model: ImageModel) -> SpeakerAdaptation:
    """What adapts the model to a speaker; raises UserError where there is nothing."""
    if not model.adaptive or model.bundle.adaptation is None:
        raise UserError(f"model {model.bundle.model_id}: {NOT_ADAPTIVE}")
    return model.bundle.adaptation


def _profile(model: ImageModel, voice: Profile | str | os.PathLike[str]) -> Profile:
    profile = voice if isinstance(voice, Profile) else find_voice(voice)
    profile.require_model(model.bundle)
    return profile


def _require_number(speakers: int, model: ImageModel) -> None:
    if type(speakers) is not int or not 1 <= speakers <= MAX_SPEAKERS:
        raise UserError(f"speakers is {speakers!r}, expected a whole number from 1 to {MAX_SPEAKERS}")
    if speakers > 1 and not model.tells_speakers_apart:
        raise UserError(f"{model.bundle.architecture} cannot tell {speakers} speakers apart; see campplus-whisper")
