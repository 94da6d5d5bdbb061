// Package address plants formats that print where a value lies in memory.
package address

import (
	"fmt"
	"io"
)

const tail = "p"

func print(w io.Writer, x *int, log func(string, ...any)) string {
	fmt.Fprintf(w, "at %-20p", x)      // want "^address: format with %p"
	_ = fmt.Errorf("%d of %[1]p", x)   // want "^address: "
	_ = fmt.Appendf(nil, "%#*p", 9, x) // want "^address: "
	_ = fmt.Sprintf("%"+tail, x)       // want "^address: "
	log("node %p", x)                  // want "^address: "
	format := `%+p`                    // want "^address: "
	_ = fmt.Sprintf("100%%p %d %-%p", 1)
	return fmt.Sprintf(format, x)
}
