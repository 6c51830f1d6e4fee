"""What the DAG files share; holds no DAG of its own."""
