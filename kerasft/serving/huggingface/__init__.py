"""Export of a run as a folder of Hugging Face."""
