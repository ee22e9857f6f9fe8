"""What is fetched or watched outside of requests: key sets now, and whatever else verification leans on."""
