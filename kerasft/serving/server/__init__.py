"""A server of exported models over HTTP; it needs TensorFlow and TF-Text, but not KerasHub."""
