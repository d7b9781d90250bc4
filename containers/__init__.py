"""Docker references turned into runnable Apptainer command lines."""
