"""Rally: a task report in HTML or JSON, a result file, and what stood in which of them."""
