/leaves move 3; echo "moved: $?"
/leaves exit 5; echo "ended: $?"
echo passed on | /leaves relay 3 | cat
yes | /leaves relay 0 | head -n 1
/leaves exit 6 & wait $!; echo "waited: $?"
/leaves move 4 & wait $!; echo "waited: $?"
(/leaves exit 1 && echo wrong) || echo "or: $?"
echo "$(echo in | /leaves relay 0) the end"
