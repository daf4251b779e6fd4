"""Speech emotion recognition as image classification."""
