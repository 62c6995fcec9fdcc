"""The verbs of the command line that need no training, a file each: arguments in, exit code out. None knows `train`."""
