package hostlink

// Op is one change in the kernel, printed as ip(8) would be told.
type Op interface{ String() string }
