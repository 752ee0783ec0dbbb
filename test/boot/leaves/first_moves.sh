exec /leaves move 5
