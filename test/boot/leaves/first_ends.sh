exec /leaves exit 7
