package main

import (
	"fmt"
	"strconv"
)

// grouped prints a number with a comma between thousands.
func grouped(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// magnitude prints a rate with two digits or so: 940, 12 k, 1.4 M.
func magnitude(x float64) string {
	switch {
	case x < 1e3:
		return fmt.Sprintf("%.0f", x)
	case x < 1e6:
		return fmt.Sprintf("%.0f k", x/1e3)
	default:
		return fmt.Sprintf("%.1f M", x/1e6)
	}
}

// percent prints a share; what is not nothing never reads as 0 %.
func percent(part, whole uint64) string {
	switch {
	case whole == 0 || part == 0:
		return "0 %"
	case part*100 < whole:
		return "<1 %"
	default:
		return fmt.Sprintf("%d %%", part*100/whole)
	}
}

// counted is a number of things: "1 fault", "2,000 faults".
func counted[N int | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return grouped(uint64(n)) + " " + what + "s"
}
