package hostnet

import (
	"testing"

	"kvmnet/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }
