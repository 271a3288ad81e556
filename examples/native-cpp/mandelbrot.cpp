// C++20 in one file: the Mandelbrot set as a picture (PGM), sent row by row.
#include <mayfly.h>

#include <complex>
#include <string>

static int steps(std::complex<double> c) {
  std::complex<double> z;
  int count = 0;
  while (count < 255 && std::norm(z) < 4) z = z * z + c, ++count;
  return count;
}

mayfly::Response draw(const mayfly::Request& request) {
  const int size = std::stoi(request.query("size").value_or("64"));
  if (size < 1 || size > 2000) return {422, "a size from 1 to 2000 is wanted\n"};
  return mayfly::Response::stream(
      200, {{"content-type", "image/x-portable-graymap"}}, [size](mayfly::Writer& out) {
        const auto side = std::to_string(size);
        out.write("P5 " + side + " " + side + " 255\n");
        for (int y = 0; y < size; ++y) {
          std::string row;
          for (int x = 0; x < size; ++x)
            row += static_cast<char>(steps({x * 3.0 / size - 2, y * 3.0 / size - 1.5}));
          out.write(row);
        }
      });
}
MAYFLY_HANDLER(draw)
