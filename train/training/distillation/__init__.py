"""Distillation: a small network, the student, imitates a large one, the teacher."""
