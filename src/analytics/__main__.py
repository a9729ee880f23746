"""`python -m analytics` is the same as `analytics`."""

import sys

from analytics.cli import main

sys.exit(main())
