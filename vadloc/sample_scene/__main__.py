"""The command ``python -m vadloc.sample_scene``."""

from vadloc.sample_scene import main

if __name__ == "__main__":
    main()
