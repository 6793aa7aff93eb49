"""What surrounds each example of the gallery."""

import warnings

FILTERS_OF_THE_BUILD = warnings.filters[:]


def warnings_are_errors(gallery_conf, file_name, when):
    """Make warnings errors before an example, and what they were after it."""
    if when == "before":
        warnings.simplefilter("error")
    else:
        warnings.filters[:] = FILTERS_OF_THE_BUILD
