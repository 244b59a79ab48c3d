# Turns a text file into a C++ source: cmake -DINPUT=page.html -DOUTPUT=page_html.cpp -P embed.cmake
# The text is cut into pieces because compilers limit the length of one literal.
file(READ "${INPUT}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
file(WRITE "${OUTPUT}"
  "#include \"tests/emulator/page.h\"\n"
  "namespace {\nconstexpr char text[] = {${bytes}};\n}\n"
  "namespace calbridge::emulator {\nstd::string_view page_html() { return {text, sizeof text}; }\n}\n")
