"""Recipes: one module each. Standing in this folder is a recipe's registration."""
