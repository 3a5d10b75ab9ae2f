"""What local memory is made of: slots, who goes when it is full, who goes when it is time."""
