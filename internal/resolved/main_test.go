package resolved

import (
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/resolved/resolvedtest"
)

func TestMain(m *testing.M) { nstest.Main(m, resolvedtest.Fetch) }
