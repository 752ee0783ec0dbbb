/leaves
