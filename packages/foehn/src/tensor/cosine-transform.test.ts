import * as torch from "@foehn/torch";
import { expect, it } from "vitest";
import { cosineTransform } from "./cosine-transform.js";

it("is orthonormal, and gives what SciPy's dct(type=2, norm='ortho') gives", () => {
  torch.scope(() => {
    const matrix = cosineTransform(5);
    expect(torch.allclose(matrix.matmul(matrix.t()), torch.eye(5), { atol: 1e-6 })).toBe(true);
    // scipy.fft.dct([1, 4, 2, 8, 5], norm="ortho")
    const wanted = [8.94427191, -3.89299596, -0.54018151, 0.91901168, -3.70245917];
    const made = matrix.matmul(torch.tensor([1, 4, 2, 8, 5])).toTypedArray() as Float32Array;
    for (const [k, value] of wanted.entries()) expect(made[k]).toBeCloseTo(value, 5);
  });
});
