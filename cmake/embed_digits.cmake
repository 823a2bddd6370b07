# Writes OUTPUT, a C file with the bytes of the two IDX files in FOLDER.
function(embed file array)
  file(READ ${FOLDER}/${file} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
  file(APPEND ${OUTPUT} "const unsigned char ${array}[] = {\n${bytes}\n};\nconst size_t ${array}_size = sizeof ${array};\n\n")
endfunction()

file(WRITE ${OUTPUT} "/* Made by cmake/embed_digits.cmake from src/data/digits (CC BY 4.0, see the README there). */\n#include \"data/digits.h\"\n\n")
embed(digits-images-idx3-ubyte pls_digits_images)
embed(digits-labels-idx1-ubyte pls_digits_labels)
