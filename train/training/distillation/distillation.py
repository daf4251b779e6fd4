"""A fastai callback that adds to a student's loss how far it is from its teacher.

Hinton G, Vinyals O, Dean J (2015). Distilling the Knowledge in a Neural Network (probabilities).
Romero A et al. (2015). FitNets: Hints for Thin Deep Nets. ICLR (inner representations, through a learned projection).
"""

from typing import Any

import torch
from fastai.callback.core import Callback
from torch import nn
from torch.nn.functional import cosine_similarity

from ser_images.data.common.errors import UserError
from ser_images.export.adaptation.network import last_layer

TEMPERATURE = 2.0
"""Softens both probabilities, so that less probable labels count for more."""
_SMALLEST = 1e-6


class Distillation(Callback):
    """In training, the loss is that of the labels, of the teacher's probabilities and of its embeddings.

    The student's embeddings are the input of its last layer; a projection that is trained beside it turns them into the
    teacher's, up to their length. Batches hold the teacher's targets behind the labels, as `Teacher.of_image` has them.

    Args:
        network: the student.
        n_labels: of the student.
        dim: of the teacher's embeddings.
        teacher_weight: of its probabilities; the labels have the rest to 1.
        embedding_weight: of the cosine distance of the embeddings.

    Raises:
        UserError: a student without a single last layer.
    """

    order = -5  # takes the targets away before mixup (0) meets them

    def __init__(
        self, network: nn.Sequential, n_labels: int, dim: int, teacher_weight: float, embedding_weight: float
    ) -> None:
        super().__init__()
        last = last_layer(network)
        if not isinstance(last, nn.Linear):
            raise UserError("--teacher: a network with an ensemble of last layers cannot be a student; give another")
        self.projection = nn.Linear(last.in_features, dim)
        self.n_labels, self.dim = n_labels, dim
        self.teacher_weight, self.embedding_weight = teacher_weight, embedding_weight

    def add_to(self, learner: Any) -> None:
        """Add the callback to the student's learner, whose optimiser then trains the projection, too."""
        of_student = learner.splitter
        learner.splitter = lambda model: _with(self.projection, of_student(model))
        learner.opt = None  # one of a pretrained network was made without the projection
        learner.add_cb(self)

    def before_fit(self) -> None:
        self.projection.to(self.dls.device)
        self.hook = last_layer(self.model).register_forward_pre_hook(self._keep_embeddings)

    def after_fit(self) -> None:
        self.hook.remove()

    def before_batch(self) -> None:
        *labels, targets = self.yb
        self.learn.yb = tuple(labels)
        self.probabilities, self.teacher_embeddings = torch.Tensor(targets).split([self.n_labels, self.dim], 1)

    def after_loss(self) -> None:
        if not self.training:
            return
        distance = 1 - cosine_similarity(self.projection(self.embeddings.float()), self.teacher_embeddings).mean()
        of_teacher = self.teacher_weight * self._divergence(self.pred) + self.embedding_weight * distance
        self.learn.loss_grad = (1 - self.teacher_weight) * self.loss_grad + of_teacher
        self.learn.loss = self.learn.loss_grad.clone()

    def _divergence(self, logits: torch.Tensor) -> torch.Tensor:
        """The cross entropy of the student's softened probabilities with the teacher's, as large as that of labels."""
        softened = (self.probabilities.clamp_min(_SMALLEST).log() / TEMPERATURE).softmax(1)
        return -(softened * (torch.Tensor(logits) / TEMPERATURE).log_softmax(1)).sum(1).mean() * TEMPERATURE

    def _keep_embeddings(self, layer: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        self.embeddings = inputs[0]


def _with(projection: nn.Module, groups: list[Any]) -> list[Any]:
    """Parameter groups whose last one has the projection's, too."""
    return [*groups[:-1], [*groups[-1], *projection.parameters()]]
