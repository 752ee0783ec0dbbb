_Noreturn void f(int *p, int q); 
void h(int*,int,int*); int k(int*,int*);
_Noreturn void f(int *p, int q) { int a[4]; h(p,q,a); k(a,p); h(p,q,a); __asm__ volatile("jmp bla"::"D"(p)); __builtin_unreachable(); }
