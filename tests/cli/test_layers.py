"""Networks with convolutions, pooling and residual layers as a user gives them."""

import gzip
import os
import struct

from support import HERE, Case, main


class Layers(Case):
    def setUp(self):
        super().setUp()
        pixels = [(7 * i * i + 31 * i) % 256 for i in range(20 * 36)]
        with gzip.open(self.path("tiny-images-idx3-ubyte.gz"), "wb") as file:
            file.write(struct.pack(">IIII", 2051, 20, 6, 6) + bytes(pixels))
        with gzip.open(self.path("tiny-labels-idx1-ubyte.gz"), "wb") as file:
            file.write(struct.pack(">II", 2049, 20) + bytes([i % 3 for i in range(20)]))

    def kernel(self, layers, *more, out="k"):
        return ["kernel", "--set", "data.source=idx:tiny", "--set", "data.samples=9", "--set",
                f"model.layers={layers}", "--precision", "f64", *more, "--out", out]

    def test_the_shape_of_images_comes_from_the_data(self):
        layers = ("[{type: conv, channels: 4, kernel: 3, activation: tanh}, {type: average_pool, "
                  "size: 2}, {type: residual_conv, channels: 4, kernel: 1, activation: sin}, "
                  "{type: global_average_pool}, {type: residual_dense, width: 4}, {width: 3}]")
        result = self.good(*self.kernel(layers))
        self.assertIn("1x6x6 -> conv 4 3x3 tanh -> average_pool 2", result.stdout)
        summary = self.summary("k")
        self.assertEqual(summary["parameters"], 36 + 16 + 16 + 12)
        ways = {way["layer"]: way for way in summary["kernel_ways"]}
        self.assertEqual(sorted(ways), [0, 2, 4, 5])
        for layer in (0, 2):
            cheaper = ("rows" if ways[layer]["rows_operations"] <
                       ways[layer]["structured_operations"] else "structured")
            self.assertEqual(ways[layer]["way"], cheaper)
            self.assertIn(f"layers.{layer} ", result.stdout)
        self.assertNotIn("rows_operations", ways[4])
        self.good(*self.kernel(layers, "--method", "explicit", out="e"))
        for key in ("lambda_min", "lambda_max"):
            self.assertAlmostEqual(self.summary("e")[key] / summary[key], 1, places=9)
        self.good("train", "--set", "data.source=idx:tiny", "--set", "data.samples=9", "--set",
                  f"model.layers={layers}", "--steps", "3", "--linearized", "--out", "t")
        self.good("train", "--resume", "t", "--steps", "5")
        self.assertEqual(len(self.metrics("t")), 6)

    def test_the_example(self):
        example = os.path.join(HERE, "..", "..", "docs", "examples", "convolution.yaml")
        result = self.good("train", example, "--steps", "2", "--out", "t")
        self.assertIn("1x8x8 -> conv 32 3x3 gelu -> residual conv 32 3x3 gelu", result.stdout)

    def test_vectors_stay_vectors(self):
        result = self.good(*self.kernel("[{width: 8, activation: tanh}, {width: 3}]"))
        self.assertIn("36 -> 8 tanh -> 3", result.stdout)

    def test_layers_that_do_not_fit(self):
        conv = "{type: conv, channels: 4, kernel: 3}"
        for layers, words in (
                ("[{type: conv, channels: 4, kernel: 2}, {type: flatten}, {width: 3}]",
                 ["model.layers[0].kernel: is 2", "odd"]),
                (f"[{conv}, {{type: average_pool, size: 4}}, {{type: flatten}}, {{width: 3}}]",
                 ["model.layers[1].size: is 4", "6 x 6"]),
                (f"[{conv}, {{width: 3}}]", ["model.layers[1]", "flatten"]),
                (f"[{{type: flatten}}, {conv}, {{width: 3}}]",
                 ["model.layers[1]", "takes images", "before flatten"]),
                (f"[{{width: 9}}, {conv}, {{width: 3}}]", ["model.layers[1]", "takes images"]),
                ("[{type: residual_conv, channels: 4, kernel: 3}, {type: flatten}, {width: 3}]",
                 ["model.layers[0].channels: is 4", "residual_conv"]),
                ("[{width: 9}, {type: residual_dense, width: 8}, {width: 3}]",
                 ["model.layers[1].width: is 8", "residual_dense", "9"]),
                ("[{type: conv, channels: 4}, {width: 3}]", ["model.layers[0] has no kernel"]),
                ("[{type: conv, width: 4, kernel: 3}]", ["model.layers[0].width", "channels"]),
                ("[{type: flatten, activation: tanh}, {width: 3}]",
                 ["model.layers[0].activation", "flatten"]),
                ("[{type: pool, size: 2}]", ["pool"])):
            self.refused(2, *self.kernel(layers), words=words)
            self.assertFalse(os.path.exists(self.path("k")))


main()
