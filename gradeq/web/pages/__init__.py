"""The pages that people use: rendered here, readable without JavaScript, live with it."""
