package nft

// Numbers of linux/netfilter/nf_tables.h that x/sys/unix lacks.
const (
	chainFlags      = 10 // NFTA_CHAIN_FLAGS
	chainUserdata   = 12 // NFTA_CHAIN_USERDATA
	setExpr         = 17 // NFTA_SET_EXPR
	setExpressions  = 18 // NFTA_SET_EXPRESSIONS
	elemKeyEnd      = 10 // NFTA_SET_ELEM_KEY_END
	elemExpressions = 11 // NFTA_SET_ELEM_EXPRESSIONS
)
