"""Networks with pretrained speech backbones."""
