"""How far two raters agree, and how sure that is: pure functions over counted pairs."""
