"""Read clips from the layouts that video text comes in."""
